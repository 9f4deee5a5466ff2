"""What Streamlit cannot draw by itself."""
